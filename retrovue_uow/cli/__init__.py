"""The command line `retrovue-uow`: `app` finds a command, `command` makes one, a module per group has its functions."""
