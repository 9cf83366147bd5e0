/** Which contract this is: the version that PROTOCOL.md begins with (VERSION-1). */
export const VERSION = 1;
