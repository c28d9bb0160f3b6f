"""The command line: thin modules, one a command, each imported only when it is called."""
