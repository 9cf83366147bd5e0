// Hands on between the agent and the script in the page: each connection of the one is one of the other.
import { ExtensionServerTransport } from '@mcp-b/transports';

chrome.runtime.onConnect.addListener(async (port) => {
  const transport = new ExtensionServerTransport(port);
  const waiting = []; // until the way to the page is open
  transport.onmessage = (message) => waiting.push(message);
  await transport.start();
  const [tab] = await chrome.tabs.query({ url: 'http://localhost/*' });
  const page = chrome.tabs.connect(tab.id, { name: port.name });
  page.onMessage.addListener((message) => transport.send(message));
  transport.onmessage = (message) => page.postMessage(message);
  transport.onclose = () => page.disconnect();
  waiting.forEach(transport.onmessage);
});
