"""`python -m envforge`."""

from envforge.cli import main

if __name__ == "__main__":
    main()
