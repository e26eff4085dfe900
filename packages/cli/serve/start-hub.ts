import { parseMxc } from '@causeway/matrix/ids/mxc.ts'
import type { JsonValue } from '@causeway/matrix/events/pdu.ts'
import { createAppservicePort } from '@causeway/bridges/core/appservice/port.ts'
import { buildRegistration } from '@causeway/bridges/core/appservice/registration.ts'
import type { BridgeRegistration } from '@causeway/bridges/core/appservice/registration.ts'
import { answerLookup } from '@causeway/bridges/core/lookups.ts'
import type { Hub } from '@causeway/bridges/core/hub.ts'
import type { BridgesConfig } from '@causeway/bridges/config.ts'
import { startBridges } from '@causeway/bridges/start-bridges.ts'
import { createInProcessPort } from '@causeway/homeserver/appservice/in-process.ts'
import { publicMediaUrl } from '@causeway/homeserver/media/public-link.ts'
import type { Logger } from '@causeway/homeserver/ops/log.ts'
import type { RunningHomeserver } from '@causeway/homeserver/server.ts'
import { systemRandom } from '@causeway/store/clock/system.ts'
import type { Settings } from '../load-settings.ts'

/** The hub's registration with the homeserver of the same process: its tokens never leave it, nor outlive it. */
export function registrationOf({ config, bridges }: Settings): BridgeRegistration {
  return buildRegistration({
    url: null,
    asToken: systemRandom.token(32),
    hsToken: systemRandom.token(32),
    serverName: config.server_name,
    botLocalpart: bridges.bot,
    ghostPrefix: bridges.ghost_prefix,
    protocols: Object.keys(bridges.irc.servers).length === 0 ? [] : ['irc'],
  })
}

export interface HubDeps {
  readonly server: RunningHomeserver
  readonly registration: BridgeRegistration
  readonly log: Logger
}

/**
 * Starts the hub beside a running homeserver and has transactions delivered to it: they are acknowledged once the hub
 * has stored them. Undefined when it could not start, which is logged: people who only use Matrix need no bridges.
 */
export async function startHub(bridges: BridgesConfig, deps: HubDeps): Promise<Hub | undefined> {
  const { server, registration } = deps
  const { hs, router } = server
  const { clock, random, serverName } = hs
  const log = deps.log.child({ part: 'bridges' })
  try {
    const door = createInProcessPort(router, hs.appservices, registration)
    const port = createAppservicePort({
      transport: (method, path, { query, body, asUser }) =>
        door.request(method, path, {
          ...(query === undefined ? {} : { query }),
          ...(body === undefined ? {} : { body: body as JsonValue }),
          asUser,
        }),
      serverName,
      botLocalpart: bridges.bot,
      publicMediaUrl: async (text, lifetimeMs) => {
        const mxc = parseMxc(text)
        return mxc === undefined ? undefined : publicMediaUrl(hs, mxc, lifetimeMs)
      },
    })
    // As for links to files: no event is such a text, so that nobody ever sees this signature.
    const secret = hs.signer.sign('causeway: secret of the bridges')
    const hub = await startBridges(bridges, { db: hs.db, port, clock, random, log, secret })
    door.receive({
      deliver: (txnId, { events }) => hub.handleTransaction(txnId, events),
      thirdParty: (question) => answerLookup(hub.context, question),
    })
    return hub
  } catch (error) {
    log.error('the bridges could not start; the homeserver goes on without them', { error })
    return undefined
  }
}
