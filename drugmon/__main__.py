"""`python -m drugmon` is the command `drugmon`."""

from drugmon.cli.main import main

if __name__ == "__main__":
    main()
