import type { HubContext } from '../hub-context.ts'
import type { Link } from '../links/registry.ts'
import type { MatrixEvent } from '../matrix-port.ts'
import type { Connection } from '../network.ts'
import { referenceTo } from './references.ts'

/** What a reaction is on the network, as remote id of its event: target and key. */
const PREFIX = 'reaction '

interface Annotation {
  readonly targetId: string
  readonly key: string
}

function annotationOf({ content }: Pick<MatrixEvent, 'content'>): Annotation | undefined {
  const relation = content['m.relates_to']
  if (typeof relation !== 'object' || relation === null || Array.isArray(relation)) return undefined
  const { rel_type: relType, event_id: targetId, key } = relation
  if (relType !== 'm.annotation' || typeof targetId !== 'string' || typeof key !== 'string') return undefined
  return key === '' ? undefined : { targetId, key: key.slice(0, 100) }
}

/** How a reaction is remembered, so that it can be taken back: undefined where nothing can be. */
export function formatReactionId(target: string, key: string): string {
  return target === '' ? '' : `${PREFIX}${JSON.stringify([target, key])}`
}

export function parseReactionId(remoteId: string): { target: string; key: string } | undefined {
  if (!remoteId.startsWith(PREFIX)) return undefined
  const [target, key] = JSON.parse(remoteId.slice(PREFIX.length)) as [string, string]
  return { target, key }
}

/** A reaction as parts, and the id under which it is remembered. */
export async function renderReaction(
  hub: HubContext,
  link: Link,
  event: MatrixEvent,
  connection: Connection,
): Promise<{ parts: readonly string[]; remoteId: string } | undefined> {
  const annotation = annotationOf(event)
  if (annotation === undefined || connection.reactions === undefined) return undefined
  const target = await referenceTo(hub, link, annotation.targetId)
  if (target === undefined) return undefined
  const parts = connection.reactions.render(target, annotation.key, false)
  return { parts, remoteId: formatReactionId(target.id, annotation.key) }
}
