"""TensorBoard on loopback, and headless Chromium that looks at it."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import time

import pytest
from selenium import webdriver
from selenium.common.exceptions import SessionNotCreatedException
from selenium.webdriver.chrome.service import Service

CHROMIUM, CHROMEDRIVER = (shutil.which(name) for name in ('chromium', 'chromedriver'))
FLAGS = (
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    # Nothing but TensorBoard is asked for anything.
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--window-size=1500,880',
)
START_SECONDS = 60
PAGE_SECONDS = 60
# What a selector finds below a node, also in the shadow of elements.
ALL = """
const all = (selector, root = document) => [
  ...root.querySelectorAll(selector),
  ...[...root.querySelectorAll('*')]
    .filter(e => e.shadowRoot).flatMap(e => all(selector, e.shadowRoot))];
const drawn = (selector, root) =>
  all(selector, root).filter(e => e.getAttribute('d')).length;
const texts = (selector, root) => all(selector, root).map(e => e.textContent.trim());
"""


@contextlib.contextmanager
def tensorboard(logdir, log):
    """Serves a folder as it is now; gives the address."""
    command = (
        *(sys.executable, '-m', 'tensorboard.main', '--logdir', str(logdir)),
        *('--host', '127.0.0.1', '--port', '0'),
        *('--reload_interval', '0', '--reload_task', 'blocking'),
    )
    with open(str(log), 'w') as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        yield _address(log, process)
    finally:
        process.kill()
        process.wait()


def _address(log, process):
    deadline = time.monotonic() + START_SECONDS
    while True:
        found = re.search(r'http://127\.0\.0\.1:\d+', log.read_text())
        if found:
            return found.group()
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


@contextlib.contextmanager
def chromium(folder):
    """A browser that writes into a folder. Skips where it does not start."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f'--user-data-dir={folder / "profile"}'):
        options.add_argument(flag)
    options.set_capability('goog:loggingPrefs', {'browser': 'SEVERE'})
    with open(str(folder / 'driver.log'), 'w') as log:
        try:
            driver = webdriver.Chrome(options, Service(CHROMEDRIVER, log_output=log))
        except SessionNotCreatedException as error:
            pytest.skip(f'Chromium does not start: {error.msg}')
        try:
            yield driver
        finally:
            driver.quit()


class Page:
    """TensorBoard in a browser.

    Args:
      driver: the browser.
      address: of TensorBoard.
    """

    def __init__(self, driver, address):
        self._driver = driver
        self._address = address

    def open(self, tab):
        # Only a part of the address changes otherwise, and the page is not loaded anew.
        self._driver.get('about:blank')
        self._driver.get_log('browser')
        self._driver.get(f'{self._address}#{tab}')

    def read(self, script):
        """What a script returns; `all`, `texts` and `drawn` find elements."""
        return self._driver.execute_script(ALL + script)

    def settled(self, script, wanted):
        """What a script returns, as soon as it is what is wanted or time is up."""
        deadline = time.monotonic() + PAGE_SECONDS
        found = self.read(script)
        while found != wanted and time.monotonic() < deadline:
            time.sleep(0.1)
            found = self.read(script)
        return found

    def click(self, selector, text):
        """Clicks the element of that text."""
        script = f"""
          const found = all('{selector}').filter(
            e => e.textContent.trim() === '{text}');
          found.forEach(e => e.click());
          return found.length;"""
        assert self.settled(script, 1) == 1

    def errors(self):
        """What the page complained of since it was opened."""
        return [entry['message'] for entry in self._driver.get_log('browser')]

    def save(self, path):
        """Writes a screenshot."""
        time.sleep(1)  # What moves comes to rest.
        assert self._driver.save_screenshot(str(path))
