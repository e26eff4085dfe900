import type { Static, TObject, TProperties } from 'typebox'
import type { JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { HubContext } from '@causeway/bridges/core/hub-context.ts'
import type { AdminCommand } from '@causeway/homeserver/admin/command.ts'

/** An administrative command that concerns the bridges: as those of the homeserver, but it is handed the hub. */
export interface BridgeCommand<I extends TObject = TObject> extends Pick<
  AdminCommand<I>,
  'usage' | 'summary' | 'input'
> {
  readonly run: (hub: HubContext, input: Static<I>) => Promise<JsonValue>
}

/** Declares a command; infers the type of its input. */
export function defineBridgeCommand<P extends TProperties>(
  command: BridgeCommand<TObject<P>>,
): BridgeCommand<TObject<P>> {
  return command
}

// oxlint-disable-next-line typescript/no-explicit-any -- a table of commands erases their input types
export type AnyBridgeCommand = BridgeCommand<any>
