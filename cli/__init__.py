"""The command line: one file a command. Each imports the package that it needs only when it is called."""
