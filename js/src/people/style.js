/** The look of the dialogs: one sheet, adopted by their shadow root, so that a strict CSP has nothing to forbid. */

export const css = `
:host {
  all: initial !important;
  display: block !important;
  --surface: #ffffff; --ink: #171a21; --soft: #565d6d; --line: #e2e5eb; --edge: #868e9d; --tint: #f3f5f9;
  --accent: #1d55c4; --accent-strong: #17469f; --on-accent: #ffffff; --alarm: #a3261b; --alarm-tint: #fdf0ee;
  --shade: rgb(16 20 30 / 48%); --said: #dbe6fb;
  color-scheme: light;
}
@media (prefers-color-scheme: dark) {
  :host {
    --surface: #1b1e25; --ink: #f0f2f7; --soft: #aab1c0; --line: #353a46; --edge: #767e90; --tint: #252933;
    --accent: #8db4ff; --accent-strong: #adc8ff; --on-accent: #10203f; --alarm: #ffb4a9; --alarm-tint: #3a2422;
    --shade: rgb(0 0 0 / 60%); --said: #31446b;
    color-scheme: dark;
  }
}
* { box-sizing: border-box; }
dialog {
  width: min(27rem, calc(100vw - 2rem)); max-height: calc(100dvh - 2rem); margin: auto; padding: 0; overflow: auto;
  scroll-padding-block: 1rem 11rem; overscroll-behavior: contain; border: 1px solid var(--line); border-radius: 20px;
  background: var(--surface); color: var(--ink); box-shadow: 0 24px 64px rgb(10 15 30 / 28%);
  font: 400 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  text-align: start; -webkit-text-size-adjust: 100%; animation: rise 160ms ease-out;
}
dialog::backdrop { background: var(--shade); animation: fade 160ms ease-out; }
@keyframes rise { from { opacity: 0; transform: translateY(12px); } }
@keyframes fade { from { opacity: 0; } }
.sheet { padding: 24px 24px 0; }
header { display: flex; align-items: center; gap: 12px; margin-bottom: 20px; }
header svg { width: 40px; height: 40px; padding: 9px; border-radius: 12px; background: var(--tint); color: var(--accent); }
.site { margin: 0; font-weight: 600; line-height: 1.3; overflow-wrap: anywhere; }
.host { margin: 0; color: var(--soft); font-size: 13px; line-height: 1.4; overflow-wrap: anywhere; }
svg { flex: none; fill: none; stroke: currentcolor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
h2 { margin: 0 0 6px; font-size: 21px; font-weight: 650; line-height: 1.28; letter-spacing: -0.01em; text-wrap: balance; }
h2:focus-visible { outline: none; }
p { margin: 0 0 16px; }
.asker, .warning, .remark { color: var(--soft); font-size: 14px; overflow-wrap: anywhere; }
.warning { color: var(--alarm); }
.heading, .tool { margin-bottom: 8px; font-weight: 600; font-size: 14px; overflow-wrap: anywhere; }
.heading + .remark { margin-top: -8px; }
.description {
  margin: 14px 0; padding: 16px 18px; border: 1px solid var(--line); border-radius: 14px; background: var(--tint);
  font-size: 19px; font-weight: 600; line-height: 1.5; white-space: pre-line; text-wrap: pretty; overflow-wrap: anywhere; unicode-bidi: isolate;
}
.said {
  padding: 2px 1px; border-radius: 4px; background: var(--said); box-decoration-break: clone; -webkit-box-decoration-break: clone;
  unicode-bidi: isolate;
}
.legend { margin: -4px 0 12px; color: var(--soft); font-size: 13px; }
.legend:empty { display: none; }
#description.long { font-size: 16px; font-weight: 550; }
ul { margin: 0 0 16px; padding: 4px 16px; border: 1px solid var(--line); border-radius: 14px; background: var(--tint); list-style: none; }
li { display: flex; gap: 12px; padding: 11px 0; font-weight: 550; overflow-wrap: anywhere; }
.scope li, .tool { color: var(--soft); font-weight: 400; }
.scope bdi:first-of-type, .tool bdi:first-of-type { color: var(--ink); font-weight: 600; }
.scope bdi + bdi, .tool bdi + bdi { font: 13px ui-monospace, "SF Mono", Consolas, "DejaVu Sans Mono", monospace; }
li + li { border-top: 1px solid var(--line); }
li svg { width: 20px; height: 20px; margin-top: 2px; color: var(--accent); }
details { margin: 0 0 16px; font-size: 14px; }
summary { width: fit-content; margin-inline: -6px; padding: 4px 6px; border-radius: 6px; color: var(--soft); cursor: pointer; }
summary:hover { color: var(--ink); }
dl { margin: 6px 0 0; padding: 2px 14px; border: 1px solid var(--line); border-radius: 12px; }
dl div { display: grid; grid-template-columns: minmax(4.5rem, 30%) 1fr; align-items: baseline; gap: 12px; padding: 8px 0; }
dl div + div { border-top: 1px solid var(--line); }
dt { color: var(--soft); overflow-wrap: anywhere; }
dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: isolate; font-variant-numeric: tabular-nums; font-family: ui-monospace, "SF Mono", Consolas, "DejaVu Sans Mono", monospace; font-size: 13px; line-height: 1.6; }
.note { display: flex; align-items: center; gap: 10px; margin: 0; font-size: 14px; }
.note:empty { display: none; }
.note:not(:empty) { margin-bottom: 12px; }
.note[role="status"] { color: var(--soft); }
.note[role="status"]:not(:empty)::before {
  content: ""; flex: none; width: 14px; height: 14px; border: 2px solid var(--line); border-top-color: var(--accent);
  border-radius: 50%; animation: turn 900ms linear infinite;
}
.note[role="alert"] { padding: 10px 14px; border: 1px solid currentcolor; border-radius: 12px; background: var(--alarm-tint); color: var(--alarm); }
.note.offer[role="alert"] { border-color: var(--accent); background: var(--tint); color: var(--ink); }
@keyframes turn { to { transform: rotate(1turn); } }
footer { position: sticky; bottom: 0; margin-inline: -24px; padding: 8px 24px 24px; background: var(--surface); }
footer::before {
  content: ""; position: absolute; inset: -16px 0 100%; background: linear-gradient(transparent, var(--surface)); pointer-events: none;
}
.field { display: flex; flex-direction: column; gap: 6px; margin-bottom: 12px; font-size: 14px; overflow-wrap: anywhere; }
dialog:not([data-state="asking"]) .field { display: none; }
input { min-height: 48px; padding: 10px 14px; border: 1px solid var(--edge); border-radius: 12px; background: var(--surface); color: var(--ink); font: inherit; font-size: 17px; }
.buttons { display: flex; gap: 10px; }
button {
  flex: 1 1 0; min-height: 48px; padding: 10px 16px; border: 1px solid var(--edge); border-radius: 12px; background: transparent;
  color: var(--ink); font: inherit; font-size: 15px; font-weight: 600; line-height: 1.25; cursor: pointer; touch-action: manipulation;
}
.approve { flex-grow: 1.6; border-color: transparent; background: var(--accent); color: var(--on-accent); }
@media (hover: hover) {
  button:hover { background: var(--tint); }
  .approve:hover { background: var(--accent-strong); }
}
[data-state="busy"] .approve { opacity: 0.6; cursor: default; }
.notice {
  position: fixed; inset-block-end: 16px; inset-inline-end: 16px; z-index: 2147483647; max-width: min(24rem, calc(100vw - 32px)); margin: 0; padding: 14px 18px;
  border: 1px solid var(--line); border-radius: 14px; background: var(--surface); color: var(--ink); box-shadow: 0 12px 40px rgb(10 15 30 / 25%);
  font: 400 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; animation: rise 160ms ease-out;
}
.notice a { color: var(--accent); font-weight: 600; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (max-width: 480px) {
  dialog {
    width: 100%; max-width: 100%; max-height: calc(100dvh - 1.5rem); margin: auto 0 0; border-width: 1px 0 0; border-radius: 22px 22px 0 0;
  }
  .sheet { padding: 22px 20px 0; }
  footer { margin-inline: -20px; padding-inline: 20px; padding-bottom: max(20px, env(safe-area-inset-bottom)); }
  .buttons { flex-direction: column-reverse; }
  button { flex: none; width: 100%; }
}
@media (max-height: 440px) {
  footer { position: static; }
  footer::before { display: none; }
}
@media (prefers-reduced-motion: reduce) {
  dialog, dialog::backdrop, .notice, .note::before { animation: none !important; }
}
@media (forced-colors: active) {
  .approve, .approve:hover { border-color: ButtonText; background: Highlight; color: HighlightText; forced-color-adjust: none; }
  :focus-visible { outline-color: Highlight; }
}
`;
