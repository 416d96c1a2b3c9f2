"""What has to be there first: packages, devices, weights; sample data to begin with; diagnostics for when it fails."""
