"""An outside world to try CloudMart against: a payment gateway and a carrier, over HTTP, in a process of their own.

It knows nothing of CloudMart's apps, and they know nothing of it but its URLs.
"""
