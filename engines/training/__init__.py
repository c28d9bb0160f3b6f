"""Training by command: resumable, seeded runs that write the components of a pack."""
