"""What viewers write into the chat, in Chinese and in English."""

from agents.simulator.catalogue import Product
from agents.simulator.stage import Dice

CHINESE = (
    "来了来了", "主播好", "666", "哈哈哈哈", "扣1", "链接在哪里", "已拍", "第一次来",
    "{}多少钱?", "{}还有货吗", "{}有优惠券吗", "{}能便宜点吗", "想要{}!", "刚下单了{}",
    "{}适合敏感肌吗", "{}几天能到", "{}真的好用 回购第三次", "{}质量怎么样", "上次买的{}很喜欢",
    "{}有点贵", "太贵了 买不起", "{}收到了 跟图片不一样", "客服怎么不回复", "{}再讲一下",
    "主播介绍得好详细", "支持主播", "手慢了 没抢到{}", "{}什么时候补货", "家人们冲", "卡了吗",
)  # fmt: skip
ENGLISH = (
    "hi everyone", "first time here", "lol", "love this", "link please", "just ordered!",
    "how much is the {}?", "is the {} still in stock?", "any coupon for the {}?",
    "I want the {}!", "my {} arrived yesterday, so good", "is the {} any good?",
    "the {} is too expensive", "does the {} run small?", "how long is shipping?",
    "show the {} again please", "the {} broke after a week", "great host", "sound is lagging",
    "missed the {} again", "when will the {} be back?", "take my money",
)  # fmt: skip


def comment(dice: Dice, product: Product | None, *, chinese: bool) -> str:
    """One line of chat, about ``product`` when the line has a place for it."""
    line = dice.choice(CHINESE if chinese else ENGLISH)
    if product is None:
        return line.format("这个" if chinese else "one")
    return line.format(product.chinese if chinese else product.english)
