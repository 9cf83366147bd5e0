// The agent, as a page of the extension: an MCP client, over @mcp-b's transport to the background.
import { ExtensionClientTransport } from '@mcp-b/transports';
import { Client } from '@modelcontextprotocol/client';

/** Calls a tool of the page that the extension's script is in. */
globalThis.call = async (name) => {
  const client = new Client({ name: 'agent', version: '1' });
  await client.connect(new ExtensionClientTransport());
  while (!(await client.listTools()).tools.some((each) => each.name === name));
  const result = await client.callTool({ name, arguments: { n: 1 } });
  await client.close();
  return result;
};

/** Calls it without MCP, by what the browser itself has for scripts in the page. */
globalThis.callNatively = async (name) => {
  const [tab] = await chrome.tabs.query({ url: 'http://localhost/*' });
  return chrome.tabs.sendMessage(tab.id, name);
};
