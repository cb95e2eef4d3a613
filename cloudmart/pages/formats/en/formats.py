from cloudmart.pages.formats import *  # noqa: F403
