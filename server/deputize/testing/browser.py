"""A Chromium in which WebMCP is switched on."""

from collections.abc import Sequence

from playwright.sync_api import Browser, Playwright

from . import chromium

SWITCHED_OFF = (
    # What shows suggestions at the address bar is loaded for each profile, and takes longer than most pages here.
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    # Started for each profile and for each site, in case that a page needs it: most tests end before.
    "SpareRendererForSitePerProcess",
    # And what Playwright switches off: Chromium heeds the last switch of a kind only.
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "TcpPortRandomizationWin",
    "ThirdPartyStoragePartitioning",
    "msEdgeUpdateLaunchServicesPreferredVersion",
    "msForceBrowserSignIn",
)
"""Features that Chromium is started without."""

ARGUMENTS = ("--enable-features=WebMCP", f"--disable-features={','.join(SWITCHED_OFF)}")
"""What Chromium has to be started with. Playwright's `page.webmcp` looks for exactly the first of them."""


def launch(playwright: Playwright, headless: bool = True, arguments: Sequence[str] = ()) -> Browser:
    """Start the Chromium that `chromium.find` finds.

    Raises:
        chromium.NoChromiumError: there is none that is new enough.
    """
    path = chromium.find()
    if path is None:
        raise chromium.NoChromiumError(
            f"There is no Chromium {chromium.OLDEST} or newer here."
            " `python -m deputize.testing.chromium` installs one."
        )
    return playwright.chromium.launch(
        executable_path=path, headless=headless, args=[*ARGUMENTS, *arguments], chromium_sandbox=False
    )
