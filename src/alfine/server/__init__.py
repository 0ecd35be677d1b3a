"""The one port: AWS's wire, the REST documents and the web console."""
