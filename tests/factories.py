"""Customers, users and books for tests."""

import factory
from django.contrib.auth import get_user_model

from inventory.models import Book
from orders.models import Customer


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = get_user_model()

    username = factory.Sequence("user{}".format)


class CustomerFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Customer

    id = factory.Sequence("customer-{}".format)
    user = factory.SubFactory(UserFactory)
    name = factory.Faker("name", locale="ja_JP")
    email = factory.Faker("email")
    postal_code = "150-0001"
    address = "東京都渋谷区神宮前1-2-3"


class BookFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Book

    id = factory.Sequence("book-{}".format)
    title = factory.Faker("sentence")
    price = 1000
