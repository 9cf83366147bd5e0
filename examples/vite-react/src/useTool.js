import { useEffect, useRef } from 'react';

/**
 * Offers a tool to agents for as long as the component is on the page.
 *
 * @param {{name: string, description: string, inputSchema: object}} definition made outside of the component: another object is
 *   another tool
 * @param {(input: any, client: any) => Promise<unknown>} execute may be another function at each render: the newest is called
 */
export function useTool(definition, execute) {
  const newest = useRef(execute);
  useEffect(() => {
    newest.current = execute;
  });
  useEffect(() => {
    const registration = new AbortController();
    document.modelContext
      ?.registerTool({ ...definition, execute: (...call) => newest.current(...call) }, { signal: registration.signal })
      .catch((error) => {
        // StrictMode takes each effect back at once, and runs it again.
        if (!registration.signal.aborted) throw error;
      });
    return () => registration.abort();
  }, [definition]);
}
