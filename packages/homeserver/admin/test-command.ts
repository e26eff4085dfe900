import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { Homeserver } from '../homeserver.ts'
import { compileCheck } from '../http/check.ts'
import { loadAdminCommands } from './load-commands.ts'

const commands = await loadAdminCommands()

/** Gives a command as the admin listener does: the input is checked, and the answer is JSON. */
export async function giveCommand(hs: Homeserver, name: string, input: JsonObject = {}): Promise<JsonValue> {
  const command = commands.get(name)
  if (command === undefined) throw new Error(`there is no command ${name}`)
  compileCheck(command.input, 'body')(input)
  return JSON.parse(JSON.stringify(await command.run(hs, input as never, { name: 'test' }))) as JsonValue
}
