"""Run the command line as `python -m maskwatch`."""

from maskwatch.cli import main

if __name__ == "__main__":
    main()
