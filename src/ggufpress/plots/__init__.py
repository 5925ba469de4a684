"""Pictures as SVG text: drawn without a library, readable on a light and on a dark ground."""
