"""`python -m controller` is the command `compositescaler`."""

from controller.cli import main

if __name__ == "__main__":
    main()
