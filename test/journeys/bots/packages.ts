import type { NodeManifest } from '@causeway/testkit/node-packages.ts'

/**
 * matrix-bot-sdk (the fork that is looked after) and matrix-appservice-bridge. Its cryptography in native code comes from a
 * download outside of npm, which an installation without scripts does not make; the same in WebAssembly takes its place, so
 * that the library can be loaded: nothing here encrypts with it.
 */
export const BOT_PACKAGES: NodeManifest = {
  dependencies: { '@vector-im/matrix-bot-sdk': '0.8.0-element.2', 'matrix-appservice-bridge': '11.2.0' },
  overrides: { '@matrix-org/matrix-sdk-crypto-nodejs': 'npm:@matrix-org/matrix-sdk-crypto-wasm@18.9.0' },
}
