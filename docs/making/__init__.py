"""The documentation's site, and its pages that are made: of schemas, of findings' pages, of argparse."""
