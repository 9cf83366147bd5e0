import { useState } from 'react';
import { useTool } from './useTool.js';

const BORROW_BOOK = {
  name: 'borrow_book',
  description: 'Borrows a book for the reader, who has to approve it with a passkey.',
  inputSchema: {
    type: 'object',
    required: ['title'],
    properties: { title: { type: 'string', minLength: 1, maxLength: 100 } },
    additionalProperties: false,
  },
};

export function App() {
  const [books, setBooks] = useState([]);
  const [said, setSaid] = useState('');

  useTool(BORROW_BOOK, async (input, client) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await client.fetch('/api/loans', { method: 'POST', headers, body: JSON.stringify(input) });
    const { borrowed, detail } = await answer.json();
    if (!answer.ok) throw new Error(detail);
    setBooks(borrowed);
    return { content: [{ type: 'text', text: `“${input.title}” is lent to you.` }] };
  });

  return (
    <main>
      <h1>Library</h1>
      <p>
        <a href="/deputize/account?return_to=/">Your account</a>
      </p>
      <button onClick={() => askAnAgent().then(setSaid)}>Let an agent borrow a book</button>
      <p role="status">{said}</p>
      <ul>
        {books.map((title, i) => (
          <li key={i}>{title}</li>
        ))}
      </ul>
    </main>
  );
}

/** What any agent in the page does: it finds the tool, and calls it. */
async function askAnAgent() {
  const tools = (await document.modelContext?.getTools()) ?? [];
  const tool = tools.find(({ name }) => name === BORROW_BOOK.name);
  if (!tool) return 'This browser has no WebMCP. Start Chromium with --enable-features=WebMCP.';
  return JSON.parse(await document.modelContext.executeTool(tool, { title: 'Notes on the Analytical Engine' })).content[0].text;
}
