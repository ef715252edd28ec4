"""`python -m parasym` is the command `parasym`."""

from parasym.cli import main

if __name__ == "__main__":
    main()
