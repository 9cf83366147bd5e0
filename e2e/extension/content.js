// The extension's script in the page, in a world of its own: to it the page's MCP server is whoever answers messages.
import { TabClientTransport } from '@mcp-b/transports';

chrome.runtime.onConnect.addListener((port) => {
  const transport = new TabClientTransport({ targetOrigin: location.origin });
  transport.onmessage = (message) => port.postMessage(message);
  const started = transport.start();
  port.onMessage.addListener(async (message) => (await started, transport.send(message)));
  port.onDisconnect.addListener(() => transport.close());
});

chrome.runtime.onMessage.addListener((name, sender, answer) => {
  void natively(name).then(answer);
  return true; // the answer comes later
});

async function natively(name) {
  const tool = (await document.modelContext.getTools()).find((each) => each.name === name);
  return JSON.parse(await document.modelContext.executeTool(tool, { n: 1 }));
}
