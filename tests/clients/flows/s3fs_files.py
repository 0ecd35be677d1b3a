"""s3fs: write in parts, list, read at a place, remove."""

import json
import os

import s3fs

files = s3fs.S3FileSystem(use_listings_cache=False)
files.mkdir("of-s3fs")
big = os.urandom(6 << 20)
with files.open("of-s3fs/data/a b.bin", "wb", block_size=5 << 20) as file:
    file.write(big)
with files.open("of-s3fs/data/c.txt", "w") as file:
    file.write("text")
listed, found = sorted(files.ls("of-s3fs/data")), files.find("of-s3fs")
with files.open("of-s3fs/data/a b.bin", "rb") as file:
    file.seek(5 << 20)
    same = file.read(10) == big[5 << 20 :][:10]
size = files.info("of-s3fs/data/c.txt")["size"]
files.rm("of-s3fs/data", recursive=True)
gone = not files.exists("of-s3fs/data/c.txt")
print(json.dumps({"listed": listed, "found": found, "same": same, "size": size, "gone": gone}))
