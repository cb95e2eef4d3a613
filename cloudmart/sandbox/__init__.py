"""A payment gateway and a carrier to try CloudMart against, over HTTP, in a process of their own.

They import none of CloudMart's apps; the apps know only their URLs.
"""
