"""What a person runs beside `pulumi up`: verify, doctor, owners, render. Nothing here changes a cluster."""
