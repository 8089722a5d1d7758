"""What users type: one module per `livepulse` command, each a Typer function."""
