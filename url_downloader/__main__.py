"""Run the downloader as a module: `python -m url_downloader LIST`."""

from url_downloader.main import main

if __name__ == "__main__":
    raise SystemExit(main())
