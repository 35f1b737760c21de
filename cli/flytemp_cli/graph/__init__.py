"""Drawing a workflow: its document becomes a `Graph`, which becomes Mermaid, dot, SVG or JSON text."""
