"""alfine inside of other tools: one file for each, which imports the tool and alfine's public Python API alone."""
