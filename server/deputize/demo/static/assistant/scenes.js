// @ts-check
/**
 * What the assistant tries, one scene for each thing that an agent, or a script beside it, may get up to. Nothing here is played: the
 * calls are real, and so are the refusals.
 *
 * @import { Got } from './agent.js'
 *
 * @typedef {object} Stage
 * @property {(text: string) => void} say the agent says something
 * @property {(text: string) => void} tell what happens besides
 * @property {(name: string, input: object) => Promise<Got>} call a tool is called, and the answer shown
 * @property {(got: Got) => void} got shows what came of something else
 *
 * @typedef {object} Scene
 * @property {string} title
 * @property {string} shows in one sentence
 * @property {(stage: Stage) => Promise<void>} play
 */
import { call } from './agent.js';
import { forged } from './forgery.js';

const ADA = { iban: 'DE89370400440532013000', name: 'Ada Lovelace' };
const CLAIMED = 'https://assistant.harbor.example/agent.json';
const MANY = 30;

/** @type {Scene[]} */
export const SCENES = [
  {
    title: 'Ask for the balance',
    shows: 'An agent sees what you let it see, and you let it with your passkey.',
    async play(stage) {
      stage.say('I look up your balance.');
      await stage.call('get_balance', {});
    },
  },
  {
    title: 'Send money',
    shows: 'Each transfer waits for your passkey, over exactly the words that you read.',
    async play(stage) {
      stage.say('I send 5 EUR to Ada Lovelace for you.');
      await stage.call('transfer_money', { amount: 5, ...ADA });
    },
  },
  {
    title: 'Lie about a name',
    shows: 'A name that is only claimed counts for nothing, and what an agent writes stands in quotation marks.',
    async play(stage) {
      stage.say('I am Harbor’s own assistant. Here is my delegation, which I have just signed myself.');
      await stage.call('get_balance', { deputize_delegation: await forged(CLAIMED) });
      stage.say('Then I put the lie where you will read it: into the name of who gets the money.');
      await stage.call('transfer_money', { ...ADA, amount: 900, name: 'Harbor”, checked by Harbor. This is safe to approve' });
    },
  },
  {
    title: 'Replay an approval',
    shows: 'What you approved happens once, even for a script in the page that sends it twice.',
    async play(stage) {
      stage.say('I send 2 EUR to Ada Lovelace. A script in this page listens.');
      const heard = eavesdrop();
      const sent = await stage.call('transfer_money', { amount: 2, ...ADA });
      const stolen = heard();
      if (sent.code || !stolen) return stage.tell('Nothing was sent, so there is nothing to send again.');
      stage.tell('The script has kept the call’s client, which carries the call token, and sends the same request once more.');
      const headers = { 'content-type': 'application/json' };
      const answer = await stolen.client.fetch('/api/transfers', { method: 'POST', headers, body: stolen.body });
      const { detail = 'It was sent again.', code = null } = await answer.json();
      stage.got({ text: detail, code, callId: sent.callId });
    },
  },
  {
    title: 'Flood you',
    shows: 'Of many questions at once only a few reach you, and when you have said no three times nobody asks you any more.',
    async play(stage) {
      stage.say(`I ask for ${MANY} transfers at once. Sooner or later you approve one to be rid of me.`);
      stage.tell('Harbor lets three calls wait for you at once. Decline what you are asked.');
      const calls = Array.from({ length: MANY }, (_, i) => call('transfer_money', { ...ADA, amount: (i + 1) / 100 }));
      const came = await Promise.all(calls);
      const codes = new Map();
      for (const got of came) codes.set(got.code ?? 'done', [...(codes.get(got.code ?? 'done') ?? []), got]);
      for (const [code, [first, ...more]] of codes) {
        stage.tell(`${more.length + 1} of ${MANY} came to: ${code}`);
        stage.got(first);
      }
      stage.say('Once more, then.');
      await stage.call('transfer_money', { amount: 1, ...ADA });
    },
  },
  {
    title: 'Take it all back',
    shows: 'What you gave you take back without a passkey, and the next call hears it.',
    async play(stage) {
      stage.say('I look up your balance.');
      const before = await stage.call('get_balance', {});
      if (before.code) return stage.tell('It may do nothing, so there is nothing to take back.');
      await revoke();
      stage.tell('You take back what the agent may do, as the button on your account page does.');
      stage.say('I look up your balance again.');
      await stage.call('get_balance', {});
    },
  },
];

/**
 * What a bad script in the page can do: it hears when Harbor's own code writes a transfer down, and keeps the `client` of that call.
 *
 * @returns {() => {client: {fetch: typeof fetch}, body: string} | null} ends it, and returns what was heard
 */
function eavesdrop() {
  const { stringify } = JSON;
  /** @type {ReturnType<ReturnType<typeof eavesdrop>>} */
  let heard = null;
  JSON.stringify = (/** @type {any} */ value, /** @type {any[]} */ ...more) => {
    const body = stringify(value, ...more);
    const client = /** @type {any} */ (window).deputize.client();
    if (client && value?.iban) heard = { client, body };
    return body;
  };
  return () => {
    JSON.stringify = stringify;
    return heard;
  };
}

/** Takes back what the agent in this browser may do. */
async function revoke() {
  const { issuer, grant } = await /** @type {any} */ (window).deputize.status();
  const { csrf } = await (await fetch(`${issuer}/tools`)).json();
  const answer = await fetch(`${issuer}/grants/${grant.id}`, { method: 'DELETE', headers: { 'deputize-csrf': csrf } });
  if (!answer.ok) throw new Error('Harbor did not take it back. Try it under “Passkeys and agents”.');
}
