import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import { openDatabase } from '@causeway/store/db/open.ts'
import type { DatabaseConfig } from '@causeway/store/db/open.ts'
import type { BridgesConfig } from './config.ts'
import { startAppserviceListener } from './core/appservice/listener.ts'
import { formatMediaLink, mediaLinkKey } from './core/appservice/media-links.ts'
import { createMediaProxy } from './core/appservice/media-proxy.ts'
import { createAppservicePort } from './core/appservice/port.ts'
import { REGISTRATION_ID } from './core/appservice/registration.ts'
import { createHttpTransport } from './core/appservice/transport.ts'
import type { Hub } from './core/hub.ts'
import { answerLookup } from './core/lookups.ts'
import type { HubLog } from './core/hub-context.ts'
import { startBridges } from './start-bridges.ts'
import type { BridgesDeps } from './start-bridges.ts'

export interface StandaloneOptions {
  /** Of the homeserver, without a slash at the end. */
  readonly homeserverUrl: string
  readonly serverName: string
  readonly asToken: string
  readonly hsToken: string
  /** `id` of the registration; that of `buildRegistration` unless given. */
  readonly registrationId?: string
  readonly listen: { readonly host: string; readonly port: number }
  /** Under which people reach our listener, for links to files; absent: files get no links. */
  readonly publicUrl?: string
  readonly database: DatabaseConfig
  readonly bridges: BridgesConfig
}

export interface StandaloneDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: HubLog
  readonly fetch: typeof globalThis.fetch
  readonly adjustIrc?: BridgesDeps['adjustIrc']
}

/** The hub beside a homeserver that is not ours. */
export interface Standalone {
  readonly hub: Hub
  readonly port: number
  stop(): Promise<void>
}

/** The store signs nothing for a hub: it has no room of its own. */
const NO_SIGNER = { serverName: 'bridges.invalid', keyId: 'ed25519:none', privateKey: new Uint8Array(32) }

/** Serves somebody else's homeserver, which knows us by `buildRegistration`, with a database of our own. */
export async function startStandalone(options: StandaloneOptions, deps: StandaloneDeps): Promise<Standalone> {
  const { homeserverUrl: baseUrl, serverName, asToken, hsToken, publicUrl, bridges } = options
  const { clock, random, log, fetch } = deps
  const db = await openDatabase(options.database, { clock, random, signer: NO_SIGNER, log })
  const key = mediaLinkKey(hsToken)
  const publicMediaUrl = async (mxc: string, expiresMs: number): Promise<string | undefined> => {
    const path = formatMediaLink(key, mxc, clock.now() + expiresMs)
    return path === undefined || publicUrl === undefined ? undefined : publicUrl + path
  }
  const transport = createHttpTransport({ baseUrl, asToken, clock, fetch })
  const port = createAppservicePort({
    transport,
    ...{ serverName, botLocalpart: bridges.bot, publicMediaUrl },
  })
  const adjust = deps.adjustIrc === undefined ? {} : { adjustIrc: deps.adjustIrc }
  const hub = await startBridges(bridges, { db, port, clock, random, log, secret: hsToken, ...adjust })
  const listener = await startAppserviceListener({
    ...options.listen,
    hsToken,
    handleTransaction: (txnId, events) => hub.handleTransaction(txnId, events),
    answerLookup: (lookup) => answerLookup(hub.context, lookup),
    handleOther: createMediaProxy({ baseUrl, asToken, key, clock, fetch }),
    onFault: (error) => log.error('a request to the bridges failed', { error }),
  })
  // A homeserver that found us away learns that we are back. One that is away itself tries anew when it starts.
  const path = `/_matrix/client/v1/appservice/${encodeURIComponent(options.registrationId ?? REGISTRATION_ID)}/ping`
  void transport('POST', path, { body: {} }).then(({ status }) => {
    if (status !== 200) log.info('the homeserver does not reach the bridges, or does not say', { status })
  })
  return {
    hub,
    port: listener.port,
    stop: async () => {
      await listener.stop()
      await hub.stop()
      await db[Symbol.asyncDispose]()
    },
  }
}
