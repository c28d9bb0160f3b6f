"""The page: layout, handlers and the live view. Knows the engines only through :mod:`engines.api`."""
