"Files that are older than UTF-8 are read in the encoding in which they make sense, and it is named; Western Europe's stays what it was."
import pytest

from tlnb.charset import charset
from tlnb.files import decode

SAID = dict(
    fr="Bonjour, ma commande n'est toujours pas arrivée. Pourriez-vous vérifier où elle est ? Ça fait déjà dix jours, c'est très gênant.",
    de="Größe passt nicht, ich möchte die Bestellung zurückgeben. Für die Rücksendung fehlt das Etikett, schöne Grüße",
    es="¿Dónde está mi pedido? Mañana salgo de viaje y aún no llegó. ¡Qué fastidio! El niño espera",
    pt="Não recebi a encomenda, já passaram três semanas. Não há ninguém que me dê informações, São Paulo",
    it="Perché il pacco non è arrivato? È già passato un mese, così non va più, città",
    sv="Var är min beställning? Jag har väntat på den i två veckor, får jag pengarna åter",
    da="Hvor er min ordre? Jeg har ventet på den længe, kan I prøve at finde den, øv",
    nl="Waar blijft mijn bestelling? Geïnteresseerd in een reünie, coöperatie, één keer",
    is_="Hvar er pöntunin mín? Ég hef beðið lengi, það er óþolandi, getið þið skoðað þetta",
    fi="Missä tilaukseni on? Se ei ole vielä tullut, tämä on jo myöhässä, hyvää päivää",
    pl="Gdzie jest moja przesyłka? Czekam już dwa tygodnie, proszę o pilną odpowiedź. Dziękuję",
    cs="Kde je moje objednávka? Čekám už dva týdny, prosím o rychlou odpověď. Děkuji, příští týden odjíždím",
    hu="Hol van a rendelésem? Már két hete várok rá, kérem gyors válaszukat, köszönöm, sürgős, nőknek",
    ro="Unde este comanda mea? Aştept de două săptămâni, vă rog să îmi răspundeţi repede",
    hr="Gdje je moja narudžba? Čekam već dva tjedna, molim žuran odgovor, što prije",
    tr="Siparişim nerede? İki haftadır bekliyorum, lütfen hızlıca cevap verin, teşekkürler, değişim",
    lt="Kur mano užsakymas? Laukiu jau dvi savaites, prašau greito atsakymo, ačiū, grąžinkite",
    lv="Kur ir mans pasūtījums? Gaidu jau divas nedēļas, lūdzu atbildiet ātri, paldies, nāciet",
    ru="Где мой заказ? Жду уже две недели, прошу быстро ответить, спасибо",
    uk="Де моє замовлення? Чекаю вже два тижні, прошу швидко відповісти, дякую",
    bg="Къде е моята поръчка? Чакам вече две седмици, моля отговорете бързо",
    el="Πού είναι η παραγγελία μου; Περιμένω ήδη δύο εβδομάδες, παρακαλώ απαντήστε",
    he="איפה ההזמנה שלי? אני מחכה כבר שבועיים, אנא ענו במהירות, תודה",
    ar="أين طلبي؟ أنا أنتظر منذ أسبوعين، يرجى الرد بسرعة، شكرا",
    th="คำสั่งซื้อของฉันอยู่ที่ไหน รอมาสองสัปดาห์แล้ว กรุณาตอบด่วน",
    ja="私の注文はどこですか？もう二週間も待っています。早く返事をください",
    ko="제 주문은 어디에 있나요? 벌써 이주일이나 기다리고 있습니다. 빨리 답변해 주세요",
    zh="我的订单在哪里？我已经等了两个星期，请尽快回复，谢谢",
    tw="我的訂單在哪裡？我已經等了兩個星期，請儘快回覆，謝謝")
WRITTEN = dict(
    fr='cp1252 mac-roman cp850 iso8859-15', de='cp1252 mac-roman cp850', es='cp1252 mac-roman cp850', pt='cp1252 cp850', it='cp1252 mac-roman', sv='cp1252 cp850', da='cp1252 cp850', nl='cp1252', is_='cp1252', fi='cp1252', pl='cp1250 iso8859-2 cp852', cs='cp1250 iso8859-2 cp852', hu='cp1250 iso8859-2', ro='cp1250 iso8859-2', hr='cp1250 iso8859-2', tr='cp1254', lt='cp1257', ru='cp1251 koi8-r iso8859-5 cp866 mac-cyrillic', uk='cp1251 koi8-u', bg='cp1251 iso8859-5', el='cp1253 iso8859-7', he='cp1255', ar='cp1256 iso8859-6', th='cp874', ja='cp932 euc_jp', ko='euc_kr', zh='gb18030', tw='cp950')

@pytest.mark.parametrize('language, encoding', [(k, e) for k,v in WRITTEN.items() for e in v.split()])
def test_languages(language, encoding):
    "A sentence is enough, a table with a header in English as well"
    text = SAID[language]
    table = 'text,label\n' + ''.join(f'"{text}",{"ab"[i % 2]}\n' for i in range(20))
    for said in (text, table):
        data = said.encode(encoding)
        read = decode(data, 'a.csv')
        assert read.text == said and not read.other and data.decode(read.encoding) == said, read.encoding

def test_escape_sequences(): assert decode(SAID['ja'].encode('iso2022_jp'), '').text == SAID['ja'] and decode(b'plain \x1b$B and \xe9', '').encoding == 'cp1252'

@pytest.mark.parametrize('line', ['humor… it’s just plain bored', 'humor…it’s', 'simone is not real—she can’t', '“so” 5 € – 10 £ • ½', 'café', 'naïve', 'Größe', 'é', '¡Olé!', '© 2026 José', 'voilà — déjà-vu'])
def test_a_mark_or_two(line): assert charset([line.encode('cp1252', 'ignore')]) == 'cp1252'

def test_lines_of_another_encoding():
    "A few lines that are no UTF-8 are read by themselves"
    lines = ['Где заказ номер пять', 'Жду уже две недели', 'прошу быстро ответить']*9
    read = decode(b'\n'.join(o.encode('cp1251' if i in (4, 11) else 'utf-8') for i,o in enumerate(lines)), '')
    assert (read.encoding, read.other, read.lines) == ('utf-8', 'cp1251', (5, 12)) and read.text == '\n'.join(lines)

@pytest.mark.parametrize('seed', range(20))
def test_noise(seed):
    import random
    data = random.Random(seed).randbytes(400)
    assert decode(data, '').text is not None and charset(data.split(b'\n')) and charset([]) == charset([b'']) == 'cp1252'
