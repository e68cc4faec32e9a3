"""Pages: which blanks are seen, by what browsers do without any style sheet."""

from __future__ import annotations

from tests.core.corpus.html import changed, same

IN_A_LINE = {
    "big": "<big>5</big>",
    "strike": "<strike>5</strike>",
    "acronym": "<acronym>5</acronym>",
    "nobr": "<nobr>5</nobr>",
    "noscript": "<noscript>5</noscript>",
    "ins": "<ins>5</ins>",
    "button": "<button>5</button>",
    "an input": "<input value=5>",
    "a picture": "<picture><source srcset=/5.webp><img src=/5.png></picture>",
    "a formula": "<math><mi>x</mi></math>",
    "a drawing": "<svg><path d=M0/></svg>",
    "a frame": "<iframe src=/5></iframe>",
    "an object": "<object data=/5></object>",
    "an icon": "<i class=icon></i>",
    "an element of one's own": "<price-tag>5</price-tag>",
}

SEEN = (
    *(
        changed(f"blank before {name}", f"<p>was {markup}", f"<p>was{markup}", ('.p["#text"]', "white space"))
        for name, markup in IN_A_LINE.items()
    ),
    changed(
        "blank after an element of one's own that begins with a block",
        "<div><my-card><div>1</div>2</my-card> a</div>",
        "<div><my-card><div>1</div>2</my-card>a</div>",
        ('.div["#text"]', "white space"),
    ),
    changed("blank beside a script", "a<script></script> b", "a<script></script>b", ('["#text"]', "white space")),
    changed(
        "blank beside a hidden input", "a<input type=hidden> b", "a<input type=hidden>b", ('["#text"]', "white space")
    ),
    changed(
        "indentation in pre",
        "<pre><code>if x:\n  a()\nb()</code></pre>",
        "<pre><code>if x:\n  a()\n  b()</code></pre>",
        ('.pre.code["#text"]', "white space"),
    ),
    changed(
        "line breaks in pre",
        "<pre>a <span>b\n<b>c</b></span></pre>",
        "<pre>a <span>b <b>c</b></span></pre>",
        ('.pre.span["#text"]', "white space"),
    ),
    changed("blanks in xmp", "<xmp>a  b</xmp>", "<xmp>a b</xmp>", ('.xmp["#text"]', "white space")),
    changed(
        "blanks in a text area",
        "<textarea>a\nb</textarea>",
        "<textarea>a b</textarea>",
        ('.textarea["#text"]', "white space"),
    ),
    changed(
        "blanks kept by a style",
        "<div style='white-space: pre-wrap'><p>a  b</p></div>",
        "<div style='white-space: pre-wrap'><p>a b</p></div>",
        ('.div.p["#text"]', "white space"),
    ),
    changed(
        "blanks kept in a drawing",
        '<svg><text xml:space="preserve">a   b</text></svg>',
        '<svg><text xml:space="preserve">a b</text></svg>',
        ('.svg.text["#text"]', "white space"),
    ),
    changed("a blank that doesn't break", "<p>a&nbsp;</p>", "<p>a</p>", ('.p["#text"]', "white space")),
)

UNSEEN = (
    same(
        "blanks not kept by a style",
        "<pre style='white-space:normal'>a  b</pre>",
        "<pre style='white-space:normal'>a b</pre>",
    ),
    same("blanks before a line's end", "<p>a <br> b </p>", "<p>a<br>b</p>"),
    same("blanks in a button", "<button> OK </button>", "<button>OK</button>"),
    same("blanks in a drawing", "<svg> <g> <path/> </g> </svg>", "<svg><g><path/></g></svg>"),
    same("blanks in a text of a drawing", "<svg><text> a\nb </text></svg>", "<svg><text>a b</text></svg>"),
    same("blanks in a formula", "<math> <mi> x </mi> </math>", "<math><mi>x</mi></math>"),
    same(
        "blanks between scripts",
        "<div> <script></script> <input type=hidden> <p>a</p> </div>",
        "<div><script></script><input type=hidden><p>a</p></div>",
    ),
    same(
        "blanks between blocks in elements of one's own",
        "<my-app> <my-card> <div>1</div> </my-card> <my-card> <div>2</div> </my-card> </my-app>",
        "<my-app><my-card><div>1</div></my-card><my-card><div>2</div></my-card></my-app>",
    ),
    same("blanks around a block in a link", "<a href=/> <div>1</div> </a>", "<a href=/><div>1</div></a>"),
)

ROWS = (*SEEN, *UNSEEN)
