"""The command line: one file per subcommand, and the composition root of every room."""
