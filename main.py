"""Run the downloader from a checkout: `python main.py LIST`."""

from url_downloader.__main__ import main

if __name__ == "__main__":
    raise SystemExit(main())
