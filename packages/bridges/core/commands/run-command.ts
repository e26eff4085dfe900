import { tellRoom } from '../hub-context.ts'
import type { HubContext } from '../hub-context.ts'
import type { MatrixEvent } from '../matrix-port.ts'
import { parseCommand } from '../outbound/plan-event.ts'
import { help } from './help.ts'
import { identify } from './identify.ts'
import { link } from './link.ts'
import { nick } from './nick.ts'
import type { RunCommand } from './reply.ts'
import { status } from './status.ts'
import { unlink } from './unlink.ts'

const COMMANDS: ReadonlyMap<string, RunCommand> = new Map([
  ['help', help],
  ['link', link],
  ['unlink', unlink],
  ['status', status],
  ['nick', nick],
  ['identify', identify],
])

/** Runs a command of a room and answers it there. May be repeated: the answer appears once. */
export async function runCommand(hub: HubContext, event: MatrixEvent): Promise<void> {
  const parsed = parseCommand(event.content['body'], [...hub.networks.keys()])
  if (parsed === undefined) return
  const [verb = 'help', ...words] = parsed.words
  const { room_id: roomId, sender, event_id: eventId } = event
  const run = COMMANDS.get(verb.toLowerCase()) ?? help
  const text = await run(hub, { roomId, sender, eventId, network: parsed.network, words })
  await tellRoom(hub, roomId, text, `command-${eventId}`, eventId)
}
