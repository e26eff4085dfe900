import { parentPort } from 'node:worker_threads'
import { collectGarbage } from '../../cache/collect-garbage.ts'
import { messageOf } from './outcome.ts'
import type { Writer } from './protocol.ts'
import type { FromWriter, ToWriter } from './writer-thread.ts'

/** Runs a writer in a worker thread: opens it, applies one batch after the other, closes it when told to. */
export async function runWriter(open: () => Writer | Promise<Writer>): Promise<void> {
  const port = parentPort!
  const send = (message: FromWriter): void => port.postMessage(message)
  let writer: Writer
  try {
    writer = await open()
  } catch (error) {
    send({ openFailed: messageOf(error) })
    return
  }
  port.on('message', (message: ToWriter) => {
    if ('close' in message) void Promise.resolve(writer.close()).finally(() => port.close())
    else if ('settleMemory' in message) collectGarbage()
    else if ('takeOver' in message) writer.takeOver?.(message.takeOver)
    else void answer(writer, message.batch, send)
  })
  send({ opened: true })
}

async function answer(
  writer: Writer,
  batch: Parameters<Writer['apply']>[0],
  send: (message: FromWriter) => void,
): Promise<void> {
  const reply = writer.apply(batch)
  send({ reply: reply instanceof Promise ? await reply : reply })
}
