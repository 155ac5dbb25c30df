"""A run as a durable thing: trained by Dask workers, kept in SQLite and safetensors, found again by its spec."""
