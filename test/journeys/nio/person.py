"""A person with matrix-nio, steered over standard input.

Each line in is a JSON object {"id": 1, "do": "send", ...}; each line out answers one, {"id": 1, "result": ...} or
{"id": 1, "error": "..."}. What arrives by sync is kept in lists, which "see" returns.
"""

import asyncio
import io
import json
import sys

from nio import AsyncClient, AsyncClientConfig, RoomPreset
from nio.events import (
    MegolmEvent,
    ReactionEvent,
    ReceiptEvent,
    RedactedEvent,
    RoomMessage,
    RoomMessageText,
    TypingNoticeEvent,
)
from nio.responses import ErrorResponse

SYNC_TIMEOUT_MS = 5000


def good(answer):
    """The answer, unless the server refused."""
    if isinstance(answer, ErrorResponse):
        raise RuntimeError(f"{type(answer).__name__}: {answer.status_code} {answer.message}")
    return answer


class Person:
    def __init__(self, start):
        config = AsyncClientConfig(encryption_enabled=start["encrypt"], store_sync_tokens=False)
        self.client = AsyncClient(
            start["url"], start["user"], store_path=start["store"] if start["encrypt"] else None, config=config
        )
        self.events = []
        self.receipts = []
        self.typing = []
        self.syncing = None
        self.failure = None
        self.client.add_event_callback(
            self.on_event, (RoomMessage, ReactionEvent, RedactedEvent, MegolmEvent)
        )
        self.client.add_ephemeral_callback(self.on_receipt, ReceiptEvent)
        self.client.add_ephemeral_callback(self.on_typing, TypingNoticeEvent)

    async def on_event(self, room, event):
        self.events.append(
            {
                "room_id": room.room_id,
                "event_id": event.event_id,
                "sender": event.sender,
                "kind": type(event).__name__,
                "decrypted": bool(getattr(event, "decrypted", False)),
                "content": event.source.get("content", {}),
            }
        )

    async def on_receipt(self, room, event):
        for one in event.receipts:
            self.receipts.append({"room_id": room.room_id, "event_id": one.event_id, "user_id": one.user_id})

    async def on_typing(self, room, event):
        self.typing.append({"room_id": room.room_id, "users": list(event.users)})

    async def keep_syncing(self):
        while True:
            good(await self.client.sync(timeout=SYNC_TIMEOUT_MS))
            if self.client.olm is not None:
                await self.do_key_work()

    async def do_key_work(self):
        """What nio's own sync_forever does between syncs."""
        if self.client.should_upload_keys:
            good(await self.client.keys_upload())
        if self.client.should_query_keys:
            good(await self.client.keys_query())
        if self.client.should_claim_keys:
            good(await self.client.keys_claim(self.client.get_users_for_key_claiming()))
        for answer in await self.client.send_to_device_messages():
            good(answer)

    def on_sync_end(self, task):
        if not task.cancelled() and task.exception() is not None:
            self.failure = repr(task.exception())

    async def login(self, password):
        answer = good(await self.client.login(password, device_name="nio"))
        good(await self.client.sync(timeout=0))
        if self.client.olm is not None:
            await self.do_key_work()
        self.syncing = asyncio.create_task(self.keep_syncing())
        self.syncing.add_done_callback(self.on_sync_end)
        return {"user_id": answer.user_id, "device_id": answer.device_id}

    async def create_room(self, name, invite, encrypted=False):
        state = []
        if encrypted:
            content = {"algorithm": "m.megolm.v1.aes-sha2"}
            state = [{"type": "m.room.encryption", "state_key": "", "content": content}]
        answer = await self.client.room_create(
            name=name, invite=invite, preset=RoomPreset.private_chat, initial_state=state
        )
        return good(answer).room_id

    async def join(self, room_id):
        return good(await self.client.join(room_id)).room_id

    async def invite(self, room_id, user_id):
        good(await self.client.room_invite(room_id, user_id))

    async def leave(self, room_id):
        good(await self.client.room_leave(room_id))

    async def send(self, room_id, content, type="m.room.message"):
        answer = await self.client.room_send(room_id, type, content, ignore_unverified_devices=True)
        return good(answer).event_id

    async def redact(self, room_id, event_id):
        return good(await self.client.room_redact(room_id, event_id)).event_id

    async def read(self, room_id, event_id):
        good(await self.client.update_receipt_marker(room_id, event_id))

    async def type(self, room_id):
        good(await self.client.room_typing(room_id, True, timeout=20000))

    async def upload(self, hex, content_type, filename):
        data = bytes.fromhex(hex)
        answer, _ = await self.client.upload(
            lambda *_: io.BytesIO(data), content_type=content_type, filename=filename, filesize=len(data)
        )
        return good(answer).content_uri

    async def download(self, mxc):
        answer = good(await self.client.download(mxc))
        return {"hex": answer.body.hex(), "content_type": answer.content_type, "filename": answer.filename}

    async def thumbnail(self, mxc):
        server_name, media_id = mxc.removeprefix("mxc://").split("/")
        answer = good(await self.client.thumbnail(server_name, media_id, width=32, height=32))
        return {"bytes": len(answer.body), "content_type": answer.content_type}

    async def history(self, room_id):
        """The whole timeline, oldest first, as plain bodies."""
        bodies = []
        start = None
        while True:
            answer = good(await self.client.room_messages(room_id, start=start, limit=20))
            bodies += [one.body for one in answer.chunk if isinstance(one, RoomMessageText)]
            if answer.end is None or not answer.chunk:
                return bodies[::-1]
            start = answer.end

    async def see(self):
        if self.failure is not None:
            raise RuntimeError(f"syncing ended: {self.failure}")
        rooms = {
            room_id: {
                "name": room.display_name,
                "members": sorted(room.users),
                "encrypted": room.encrypted,
            }
            for room_id, room in self.client.rooms.items()
        }
        return {
            "rooms": rooms,
            "invited": sorted(self.client.invited_rooms),
            "events": self.events,
            "receipts": self.receipts,
            "typing": self.typing,
        }

    async def close(self):
        if self.syncing is not None:
            self.syncing.cancel()
        await self.client.close()


async def answer(person, line):
    order = json.loads(line)
    number, name = order.pop("id"), order.pop("do")
    try:
        return {"id": number, "result": await getattr(person, name)(**order)}
    except Exception as error:
        return {"id": number, "error": f"{type(error).__name__}: {error}"}


async def main():
    lines = asyncio.StreamReader(limit=16 * 1024 * 1024)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    person = Person(json.loads(await lines.readline()))
    while line := await lines.readline():
        print(json.dumps(await answer(person, line)), flush=True)
    await person.close()


asyncio.run(main())
