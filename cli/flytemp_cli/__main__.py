"""``python -m flytemp_cli`` is ``flytemp``."""

from flytemp_cli.main import main

if __name__ == "__main__":
    main()
