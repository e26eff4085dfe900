import { findAccount, saveAccount } from '../accounts.ts'
import { MatrixPortError } from '../matrix-port.ts'
import type { RunCommand } from './reply.ts'

/** `identify <server> <account> <password>`: credentials for the connection of one's own. */
export const identify: RunCommand = async (hub, { roomId, sender, eventId, network, words }) => {
  const [server, account, password] = words
  let isRemoved = true
  try {
    await hub.port.redact(undefined, {
      roomId,
      eventId,
      txnId: `identify-${eventId}`,
      reason: 'holds a password',
    })
  } catch (error) {
    if (!(error instanceof MatrixPortError) || error.isTemporary) throw error
    isRemoved = false
  }
  const hint = isRemoved ? '' : ' I lack the power to remove your message: do it yourself, now.'
  if (server === undefined || account === undefined || password === undefined)
    return `Like this: !${network} identify <server> <account> <password>${hint}`
  if (hub.networks.get(network)?.servers.has(server) !== true)
    return `There is no server “${server}” here.${hint}`
  const key = { network, server, userId: sender }
  const deps = { ...hub, sealKey: hub.settings.sealKey }
  const nick = (await findAccount(deps, key))?.nick ?? ''
  await saveAccount(deps, key, { nick, credentials: { account, password } })
  return `Kept, sealed. I use it when you connect to ${server} the next time.${hint}`
}
