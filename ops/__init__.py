"""What a person runs beside `pulumi up`: verify, doctor, render. Nothing here changes a cluster."""
