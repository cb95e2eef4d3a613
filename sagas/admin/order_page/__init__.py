"""The page of one order: its outcome, money, stock, parcel, mails, commands and raw data, in both styles."""
