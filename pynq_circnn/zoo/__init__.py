"""The shipped models, and the recipes that they were trained by."""
