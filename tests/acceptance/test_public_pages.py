"""The pages for people who are not signed in."""

import pytest
from django.contrib.admin import site
from django.templatetags.static import static
from django.urls import reverse

from cloudmart.api.catalogue import CATALOGUE
from cloudmart.api.document import document

pytestmark = pytest.mark.any_database


def test_the_start_page_links_to_documentation_admin_and_health(db, client):
    page = client.get("/")
    assert page.status_code == 200 and page["Content-Type"].startswith("text/html")
    for name in ("docs", "errors", "schema", "readyz", "admin:index"):
        assert f'href="{reverse(name)}"' in page.content.decode()
    assert client.head("/").status_code == 200
    assert client.post("/").json()["code"] == "method_not_allowed"


def test_view_site_leads_from_the_admin_to_the_start_page(client, operator):
    client.force_login(operator)
    page = client.get("/admin/")
    assert client.get(page.context["site_url"]).templates[0].name == "cloudmart/start.html"
    assert f'href="{site.site_url}"' in page.content.decode()


def test_every_problem_code_is_explained_on_a_page_and_not_in_the_description_of_the_api(db, client):
    page = client.get("/docs/errors").content.decode()
    for code, kind in CATALOGUE.items():
        assert f'id="{code}"' in page and str(kind.status) in page
    description = document().decode().partition('"paths"')[0]
    assert "/docs/errors" in description
    assert "out_of_stock" not in description


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/errors", "/admin/login/"])
def test_every_page_names_its_icon(db, client, path):
    assert f'href="{static("cloudmart/icon.svg")}"' in client.get(path).content.decode()
