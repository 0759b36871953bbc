"""``python -m counterstain`` is the command line."""

from counterstain.cli.app import main

if __name__ == "__main__":
    main()
