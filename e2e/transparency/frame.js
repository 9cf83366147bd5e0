// In a frame: does what the page around asks it for, and answers.

const its = document.modelContext;
let heard = 0;
its.addEventListener('toolchange', () => (heard += 1));
let registered = new AbortController();

const list = async (options) => (await its.getTools(options)).map(({ window: _, ...tool }) => tool);
const works = {
  list,
  heard: () => heard,
  async call(name, options) {
    const tool = (await its.getTools(options)).find((each) => each.name === name);
    return tool ? its.executeTool(tool, { from: 'the frame' }) : 'there is none';
  },
  async register(tool, options) {
    registered = new AbortController();
    await its.registerTool({ ...tool, execute: (input) => ['in the frame', input] }, { ...options, signal: registered.signal });
  },
  drop: () => registered.abort(),
};

addEventListener('message', async ({ source, data: { id, work, args } }) => {
  let answer;
  try {
    answer = ['fulfilled', await works[work](...args)];
  } catch (error) {
    answer = ['rejected', String(error)];
  }
  source.postMessage({ id, answer }, '*');
});
